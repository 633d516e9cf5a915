"""`python -m superpix`."""

from superpix.cli import main

if __name__ == "__main__":
    main()
