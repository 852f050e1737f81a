"""The user's guide: Markdown that travels with the package, shown by `nasbench guide TOPIC`."""
