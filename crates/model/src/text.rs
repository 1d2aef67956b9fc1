//! Values that are written as text in JSON.

/// Implements `TryFrom<String>` and `Into<String>` for a type by its `FromStr` and `Display`, as
/// `#[serde(try_from = "String", into = "String")]` asks for.
#[macro_export]
macro_rules! written_as_text {
    ($ty:ty) => {
        impl TryFrom<String> for $ty {
            type Error = <Self as std::str::FromStr>::Err;
            fn try_from(text: String) -> Result<Self, Self::Error> {
                text.parse()
            }
        }

        impl From<$ty> for String {
            fn from(value: $ty) -> Self {
                value.to_string()
            }
        }
    };
}
