"""Tables that other systems fill: what they tell, the syncs that wait for it, the copy."""
