"""What `jaxrnn train` and `jaxrnn sample` do."""
