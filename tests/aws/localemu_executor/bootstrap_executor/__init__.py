"""A LocalEmu executor for functions on `provided.*`: the uploaded zip's `bootstrap`, as a child."""
