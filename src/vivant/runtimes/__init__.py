"""One file, one way to run a network: all answer alike behind the `Runner` protocol."""
