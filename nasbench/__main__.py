"""`python -m nasbench`: the command line."""

from nasbench.cli import main

__all__: list[str] = []

if __name__ == "__main__":
    main()
