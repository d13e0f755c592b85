/**
 * Runs the demo in a terminal and draws what it then shows: `docs/images/demo.svg`. Needs `script` (util-linux), which gives the demo
 * a terminal.
 */
import { execFileSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import xterm from '@xterm/headless';
import { root } from './child-process.mjs';

const [COLUMNS, ROWS] = [200, 100];
const [CHARACTER, LINE, MARGIN, TOP] = [7.8, 18, 16, 56];
const COLORS = { 1: '#ff7b72', 2: '#7ee787', 3: '#e3b341', 4: '#79c0ff', 5: '#d2a8ff', 6: '#a5d6ff', 8: '#8b949e' };
const FAINT = '#8b949e';

const command = `stty cols ${COLUMNS} rows ${ROWS}; npm run -s demo`;
const output = execFileSync('script', ['-qec', command, '/dev/null'], {
  cwd: root,
  stdio: ['ignore', 'pipe', 'inherit'],
});
const terminal = new xterm.Terminal({ cols: COLUMNS, rows: ROWS, allowProposedApi: true });
await new Promise((resolve) => terminal.write(output, resolve));
const shown = readLines(terminal.buffer.active);
const lines = [
  [
    { x: 0, text: '$', color: FAINT },
    { x: 2, text: 'npm run demo' },
  ],
  [],
  ...shown,
];
writeFileSync(join(root, 'docs', 'images', 'demo.svg'), draw(lines));

/** @returns for each line, its pieces of one color, without what is empty at the end. */
function readLines(buffer) {
  const found = Array.from({ length: buffer.length }, (_, index) => readPieces(buffer.getLine(index)));
  return found.slice(0, found.findLastIndex((pieces) => pieces.length > 0) + 1);
}

/** Two spaces end a piece: then each column of a table begins where it should, whatever the font. */
function readPieces(line) {
  const pieces = [];
  let [piece, spaces] = [null, 0];
  for (let x = 0; x < line.length; x += 1) {
    const cell = line.getCell(x);
    const text = cell.getChars();
    if (text === '' || text === ' ') {
      spaces += 1;
      continue;
    }
    const color = cell.isDim() ? FAINT : cell.isFgPalette() ? COLORS[cell.getFgColor()] : undefined;
    if (piece !== null && spaces < 2 && piece.color === color) piece.text += ' '.repeat(spaces) + text;
    else {
      piece = { x, text, color };
      pieces.push(piece);
    }
    spaces = 0;
  }
  return pieces;
}

function draw(lines) {
  const last = Math.max(...lines.flat().map(({ x, text }) => x + text.length));
  const [width, height] = [Math.ceil(last * CHARACTER + 2 * MARGIN), TOP + lines.length * LINE + MARGIN];
  const dots = ['#ff5f57', '#febc2e', '#28c840'].map(
    (fill, i) => `<circle cx="${20 + 18 * i}" cy="18" r="5" fill="${fill}"/>`,
  );
  const texts = lines.flatMap((pieces, row) => pieces.map((piece) => drawPiece(piece, TOP + row * LINE)));
  return `<svg xmlns="http://www.w3.org/2000/svg" width="${width}" height="${height}" viewBox="0 0 ${width} ${height}" role="img" aria-label="Terminal: npm run demo runs verifications and a session of each token flow, and each ends as its input calls for">
<rect width="100%" height="100%" rx="8" fill="#0d1117"/>
${dots.join('')}
<g font-family="ui-monospace,SFMono-Regular,Menlo,Consolas,'DejaVu Sans Mono',monospace" font-size="13" fill="#e6edf3" xml:space="preserve">
${texts.join('\n')}
</g>
</svg>
`;
}

function drawPiece({ x, text, color }, y) {
  const fill = color === undefined ? '' : ` fill="${color}"`;
  const length = Math.round(text.length * CHARACTER);
  const escaped = text.replaceAll('&', '&amp;').replaceAll('<', '&lt;');
  return `<text x="${Math.round(MARGIN + x * CHARACTER)}" y="${y}"${fill} textLength="${length}">${escaped}</text>`;
}
