"""Benchmarks: one question a file, asked of jaxrnn and of other libraries."""
