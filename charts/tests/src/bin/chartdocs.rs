//! Writes the chart's page: `cargo run -p wanqu-chart-tests --bin chartdocs`.

fn main() -> std::io::Result<()> {
    std::fs::write(wanqu_chart_tests::chart().join("README.md"), wanqu_chart_tests::readme())
}
