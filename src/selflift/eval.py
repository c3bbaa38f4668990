"""``python -m selflift.eval``; the command itself is :mod:`selflift.cli.eval`."""

if __name__ == "__main__":
    from selflift.cli.interrupt import leave_at_once

    leave_at_once()
    from selflift.cli.eval import main

    main()
