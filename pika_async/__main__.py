"""`python -m pika_async`: the command line, also where its script is not on the path."""

from pika_async.cli import main

if __name__ == "__main__":
    main()
