"""What holds sequencers to their promises: evidence of faults, how it is built, found, written and reported."""
