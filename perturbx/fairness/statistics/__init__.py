"""The arithmetic of an audit: measures as quotients of sums, resampling, AUCs, permutations."""
