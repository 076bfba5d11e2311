//! Desired state against observed state: the list of actions that leads from one to the other. Pure.
