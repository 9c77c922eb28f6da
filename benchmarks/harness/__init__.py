"""The benchmark harness: what a work is, how an engine runs it, how results are compared."""
