"""What a GPU makes of styled, with a verdict: `python -m tests.benchmarks.gpu`, see __main__.py."""
