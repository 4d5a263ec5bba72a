// One region: PouchDB on LevelDB behind express-pouchdb, following SOURCE if there is one. node server.js DIR PORT [SOURCE]
"use strict";
const [directory, port, source] = process.argv.slice(2);
const modules = process.env.BENCH_MODULES;
const load = (name) => require(require.resolve(name, { paths: [modules] }));
const PouchDB = load("pouchdb").defaults({ prefix: directory + "/" });
const app = load("express")();
app.use(load("express-pouchdb")(PouchDB, { mode: "minimumForPouchDB", inMemoryConfig: true, logPath: directory + "/log.txt" }));
app.listen(Number(port), "127.0.0.1", () => {
  const documents = new PouchDB("documents");
  if (source) PouchDB.replicate(source, documents, { live: true, retry: true, batch_size: 500 });
});
