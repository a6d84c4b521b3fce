"""``python -m perturbx`` is the command ``perturbx``."""

from perturbx.cli.main import main

if __name__ == "__main__":
    main()
