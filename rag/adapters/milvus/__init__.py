"""The vector store on Milvus, a server or Milvus Lite."""
