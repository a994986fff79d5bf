"""Incidents made on purpose: real servers, a fault each, the folders left."""
