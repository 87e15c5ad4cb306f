// Files that the reader chose or dropped. Those of a folder are named by their path in it.

const dropped = new WeakMap();

/** The name under which a file is stored. */
export const nameOf = (file) => dropped.get(file) || file.webkitRelativePath || file.name;

/** The files of a drop, including those in dropped folders. */
export async function droppedFiles(dataTransfer) {
  // The items are gone after the first `await`.
  const found = [...dataTransfer.items].filter((item) => item.kind === "file").map(filesOf);
  return (await Promise.all(found)).flat();
}

function filesOf(item) {
  const entry = item.webkitGetAsEntry();
  return entry ? filesBelow(entry) : [item.getAsFile()]; // what a program drops has no entry
}

async function filesBelow(entry) {
  if (entry.isFile) {
    const file = await new Promise((resolve, reject) => entry.file(resolve, reject));
    dropped.set(file, entry.fullPath.slice(1));
    return [file];
  }
  const reader = entry.createReader();
  const found = [];
  for (;;) {
    // A reader returns at most a hundred entries at a time.
    const some = await new Promise((resolve, reject) => reader.readEntries(resolve, reject));
    if (!some.length) return found;
    found.push(...(await Promise.all(some.map(filesBelow))).flat());
  }
}
