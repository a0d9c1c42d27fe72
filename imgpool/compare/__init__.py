"""Serial run and pool compared on a sample of the same images: outputs, times and the bottleneck.

Public: `comparison.ComparisonRunner` measures and gives a `results.Comparison`; `imgpool.report` shows it.
The thresholds in `bottleneck` and `advice` are the place to change what a comparison concludes.
"""
