"""`python -m vivant` is `vivant`."""

from vivant.cli.app import main

if __name__ == "__main__":
    main()
