"""``python -m selflift.prepare``; the command itself is :mod:`selflift.cli.prepare`."""

if __name__ == "__main__":
    from selflift.cli.interrupt import leave_at_once

    leave_at_once()
    from selflift.cli.prepare import main

    main()
