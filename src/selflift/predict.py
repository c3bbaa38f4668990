"""``python -m selflift.predict``; the command itself is :mod:`selflift.cli.predict`."""

if __name__ == "__main__":
    from selflift.cli.interrupt import leave_at_once

    leave_at_once()
    from selflift.cli.predict import main

    main()
