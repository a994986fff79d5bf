"""A small multi-tenant dashboard: FastAPI, Strawberry GraphQL, SQLAlchemy, psycopg."""
