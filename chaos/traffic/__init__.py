"""Known traffic: clients whose every request is made to be recognised, and whose every answer is on record."""
