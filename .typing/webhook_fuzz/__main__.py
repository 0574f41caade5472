"""`python -m webhook_fuzz`: the same command line as `webhook-fuzz`."""

from webhook_fuzz.fuzzer.cli import main

if __name__ == "__main__":
    main()
