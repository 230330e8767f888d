"""``python -m kp``: the command line."""

from kp.cli.main import main

if __name__ == "__main__":
    main()
