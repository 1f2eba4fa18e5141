"""What every service stands on. No word of the domain in here: add what two services need."""
