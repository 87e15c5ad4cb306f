"""file -> text -> chunks -> vectors -> stored. No heavy library is imported here."""
