//! A group's state as bytes, for groups that are aggregated in parts.

use super::Group;
use super::contributions::Contributions;
use super::values::Values;

/// Writes a state.
pub(super) fn write(group: &Group) -> Vec<u8> {
    let mut bytes = Vec::new();
    match &group.contributions {
        Contributions::Each(units) => {
            bytes.push(0);
            count(&mut bytes, units.len());
            for (unit, sum) in units {
                bytes.extend(unit.to_le_bytes());
                bytes.extend(sum.to_le_bytes());
            }
        }
        Contributions::Buckets(buckets) => {
            bytes.push(1);
            buckets.iter().for_each(|sum| bytes.extend(sum.to_le_bytes()));
        }
    }
    match &group.values {
        Values::Enough => bytes.push(0),
        Values::Few(values) => {
            bytes.push(1);
            count(&mut bytes, values.len());
            for (value, units) in values {
                bytes.extend(value.to_le_bytes());
                count(&mut bytes, units.len());
                for unit in units {
                    bytes.extend(unit.to_le_bytes());
                }
            }
        }
        Values::Many(units) => {
            bytes.push(2);
            count(&mut bytes, units.len());
            for (unit, only) in units {
                bytes.extend(unit.to_le_bytes());
                bytes.push(u8::from(only.is_some()));
                bytes.extend(only.unwrap_or_default().to_le_bytes());
            }
        }
    }
    bytes
}

fn count(bytes: &mut Vec<u8>, count: usize) {
    bytes.extend((count as u64).to_le_bytes());
}

/// Reads a state; `None` if it is none.
pub(super) fn read(bytes: &[u8]) -> Option<Group> {
    let mut reader = Reader(bytes);
    let contributions = match reader.byte()? {
        0 => Contributions::Each(
            (0..reader.count()?).map(|_| Some((reader.unit()?, reader.sum()?))).collect::<Option<_>>()?,
        ),
        1 => {
            let mut buckets = Box::new([0.0; 128]);
            for sum in buckets.iter_mut() {
                *sum = reader.sum()?;
            }
            Contributions::Buckets(buckets)
        }
        _ => return None,
    };
    let values = match reader.byte()? {
        0 => Values::Enough,
        1 => Values::Few((0..reader.count()?).map(|_| reader.value()).collect::<Option<_>>()?),
        2 => Values::Many((0..reader.count()?).map(|_| reader.only()).collect::<Option<_>>()?),
        _ => return None,
    };
    reader.0.is_empty().then_some(Group { contributions, values })
}

struct Reader<'b>(&'b [u8]);

impl Reader<'_> {
    fn take<const N: usize>(&mut self) -> Option<[u8; N]> {
        let (taken, rest) = self.0.split_first_chunk::<N>()?;
        self.0 = rest;
        Some(*taken)
    }

    fn byte(&mut self) -> Option<u8> {
        self.take::<1>().map(|[byte]| byte)
    }

    fn count(&mut self) -> Option<usize> {
        usize::try_from(u64::from_le_bytes(self.take()?)).ok()
    }

    fn unit(&mut self) -> Option<u32> {
        self.take().map(u32::from_le_bytes)
    }

    fn sum(&mut self) -> Option<f64> {
        self.take().map(f64::from_le_bytes)
    }

    fn value(&mut self) -> Option<(u64, Vec<u32>)> {
        let bits = self.take().map(u64::from_le_bytes)?;
        let units = (0..self.count()?).map(|_| self.unit()).collect::<Option<_>>()?;
        Some((bits, units))
    }

    fn only(&mut self) -> Option<(u32, Option<u64>)> {
        let unit = self.unit()?;
        let is_some = self.byte()? == 1;
        let bits = self.take().map(u64::from_le_bytes)?;
        Some((unit, is_some.then_some(bits)))
    }
}
