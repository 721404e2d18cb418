"""The figures that Sluice must reach, each measured beside a peer or a ceiling in the same run."""
