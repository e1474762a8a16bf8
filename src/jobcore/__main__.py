"""`python -m jobcore` is the command `jobcore`."""

from jobcore.cli import main

if __name__ == "__main__":
    main()
