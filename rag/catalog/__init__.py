"""The catalog: documents, their versions, files, vector stores and jobs, in SQL. SQLite by default, PostgreSQL by URL.

Each module holds the statements of one noun, as functions of an open transaction (`Database.write` or `.read`).
SQLAlchemy is what keeps the two databases alike, so there is no port and no fake: tests use SQLite.
"""
