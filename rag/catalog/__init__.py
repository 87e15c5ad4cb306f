"""The catalog: documents, their versions, files, vector stores and jobs, in SQL. SQLite by default, PostgreSQL by URL.

Each module holds the statements about one noun, as functions of an open transaction (`Database.write` or `.read`).
SQLAlchemy covers the differences between the two databases, so there is no port and no fake: tests use SQLite.
"""
