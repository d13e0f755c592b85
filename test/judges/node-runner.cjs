/**
 * Runs a mocha suite in the current folder without changing it, and skips the tests that argv[3] lists in JSON, each by
 * the start of `group › test`. Prints a line of JSON for each test.
 */
const { createRequire } = require('node:module');
const { join } = require('node:path');

const [, , file, leftOut] = process.argv;
const Mocha = createRequire(join(process.cwd(), 'package.json'))('mocha');
const isLeftOut = (name) => JSON.parse(leftOut).some((start) => name.startsWith(start));
const nameOf = ({ parent, title }) => `${parent.title} › ${title}`;
const report = (name, outcome, message) => process.send({ name, outcome, message });

const mocha = new Mocha({ reporter: class {} });
mocha.addFile(join(process.cwd(), file));
mocha.loadFiles();
mocha.suite.suites.forEach((suite) => {
  suite.tests
    .filter((test) => isLeftOut(nameOf(test)))
    .forEach((test) => {
      test.pending = true;
    });
});
mocha.files = [];
mocha
  .run(() => process.exit(0))
  .on('pass', (test) => report(nameOf(test), 'passed'))
  .on('pending', (test) => report(nameOf(test), 'left out'))
  .on('fail', (test, error) =>
    report(nameOf(test), 'failed', String(error?.message).split('\n').join(' ').slice(0, 160)),
  );
