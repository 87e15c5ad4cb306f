/** Offer `text` as a file to save. */
export function download(name, text, mediaType) {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(new Blob([text], { type: mediaType }));
  link.download = name.replace(/[\\/:*?"<>|]/g, "_");
  link.click();
  URL.revokeObjectURL(link.href);
}
