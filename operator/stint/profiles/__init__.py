"""AgentProfile: a reusable agent."""
