"""The applications, each a short composition of the rooms below."""
