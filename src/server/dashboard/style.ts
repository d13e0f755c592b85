/**
 * The style sheet: tokens for space, type and colour in light and dark, and rules for screens from 360 px up. It loads nothing from
 * other hosts. The colours of states differ in lightness as well as in hue, and every state also has a sign and a word.
 */
import { createHash } from 'node:crypto';

const TOKENS = `
:root { color-scheme: light dark;
  --s1: .25rem; --s2: .5rem; --s3: .75rem; --s4: 1rem; --s5: 1.5rem; --s6: 2.25rem;
  --small: .8125rem; --base: .9375rem; --large: 1.125rem; --huge: 1.5rem; --round: .5rem;
  --paper: #f6f7f9; --card: #fff; --ink: #14202b; --dim: #53616f; --line: #dde3e9; --strong: #b9c3cd; --soft: #eef1f4;
  --mark: #0b57b0; --mark-ink: #fff; --mark-soft: #e5effb;
  --good: #08664a; --good-soft: #e1f3ec; --bad: #a8210f; --bad-soft: #fdebe6; --warn: #7d4e00; --warn-soft: #fdf1d8; --live: #a8210f;
  --c1: #0c7a5b; --c2: #e09112; --c3: #b8340f; --c4: #58aee6; --c5: #3c4650; --c6: #8b5fbf; }
@media (prefers-color-scheme: dark) { :root {
  --paper: #0d1218; --card: #151c24; --ink: #e8eef4; --dim: #9dabb9; --line: #27323d; --strong: #43515f; --soft: #1c2530;
  --mark: #7db7ff; --mark-ink: #07182b; --mark-soft: #17293f;
  --good: #55d0a4; --good-soft: #12302a; --bad: #ff9580; --bad-soft: #3a1b18; --warn: #f4c05e; --warn-soft: #33270f; --live: #ff9580;
  --c1: #3fc397; --c2: #f2b34a; --c3: #ff7d5c; --c4: #58aee6; --c5: #aab7c4; --c6: #c0a1ea; } }
`;

const FRAME = `
* { box-sizing: border-box; }
html { -webkit-text-size-adjust: 100%; scroll-padding-top: 4rem; }
body { margin: 0; background: var(--paper); color: var(--ink); font: var(--base)/1.5 system-ui, "Segoe UI", "Noto Sans", "Noto Sans CJK SC", "PingFang SC", "Microsoft YaHei", sans-serif;
  font-variant-numeric: tabular-nums; }
a { color: var(--mark); text-underline-offset: .15em; }
:focus-visible { outline: 3px solid var(--mark); outline-offset: 2px; border-radius: var(--s1); }
.skip { position: absolute; left: -100vw; z-index: 2; }
.skip:focus { left: var(--s4); top: var(--s2); background: var(--card); padding: var(--s2); }
.hidden { position: absolute; width: 1px; height: 1px; overflow: hidden; clip-path: inset(50%); white-space: nowrap; }
.top { display: flex; flex-wrap: wrap; gap: var(--s2) var(--s4); align-items: center; padding: var(--s2) var(--s4); background: var(--card); border-bottom: 1px solid var(--line); }
.brand { font-weight: 700; font-size: var(--large); color: var(--ink); text-decoration: none; letter-spacing: -.01em; }
.mode { font-size: var(--small); font-weight: 700; letter-spacing: .06em; border-radius: 1rem; padding: 0 var(--s3); }
.mode.test { color: var(--dim); border: 1px dashed var(--dim); }
.mode.live { background: var(--live); color: var(--card); }
.top form { display: flex; gap: var(--s2); margin: 0; align-items: center; }
.search { flex: 1 1 14rem; max-width: 34rem; }
.search input { flex: 1; min-width: 0; }
.who { display: flex; gap: var(--s4); align-items: center; margin-left: auto; color: var(--dim); font-size: var(--small); }
.pages { display: flex; gap: var(--s1); overflow-x: auto; padding: var(--s1) var(--s4); background: var(--card); border-bottom: 1px solid var(--line); position: sticky; top: 0; z-index: 1; scrollbar-width: none; }
.pages a { color: var(--dim); text-decoration: none; padding: var(--s2) var(--s3); border-radius: var(--round); white-space: nowrap; }
.pages a:hover { background: var(--soft); color: var(--ink); }
.pages a[aria-current] { background: var(--mark-soft); color: var(--mark); font-weight: 600; }
main { max-width: 76rem; margin: 0 auto; padding: var(--s4) var(--s4) var(--s6); min-width: 0; }
main.narrow { max-width: 24rem; padding-top: 10vh; }
h1 { font-size: var(--huge); line-height: 1.25; margin: var(--s2) 0 var(--s4); letter-spacing: -.01em; overflow-wrap: anywhere; }
h2 { font-size: var(--base); margin: var(--s5) 0 var(--s2); }
h2 .count { color: var(--dim); font-weight: 400; }
p { margin: var(--s2) 0; }
footer { color: var(--dim); font-size: var(--small); padding: 0 var(--s4) var(--s5); max-width: 76rem; margin: 0 auto; }
@media (min-width: 64rem) {
  .page { display: grid; grid-template-columns: 12.5rem minmax(0, 1fr); }
  .pages { flex-direction: column; border-bottom: 0; border-right: 1px solid var(--line); padding: var(--s3); min-height: calc(100vh - 3.4rem); align-self: start; height: 100%; }
  main { margin: 0; padding: var(--s4) var(--s5) var(--s6); width: 100%; }
}
@media (max-width: 40rem) { h1 { font-size: 1.3rem; } .who { margin-left: 0; } .mode span { display: none; } .search { order: 3; flex-basis: 100%; } }
`;

const PARTS = `
.card { background: var(--card); border: 1px solid var(--line); border-radius: var(--round); padding: var(--s3) var(--s4); min-width: 0; }
.card > h2:first-child, .card > h3:first-child { margin-top: 0; }
h3 { font-size: var(--small); font-weight: 600; color: var(--dim); margin: 0; }
.verdict { text-wrap: balance; display: flex; gap: var(--s4); align-items: flex-start; font-size: var(--huge); border-radius: var(--round); padding: var(--s4); margin: 0 0 var(--s4); background: var(--good-soft); border: 1px solid var(--good); }
.verdict::before { content: "✓" / ""; flex: none; width: 1.6em; height: 1.6em; line-height: 1.6em; text-align: center; border-radius: 50%; font-size: var(--large); background: var(--good); color: var(--card); margin-top: .1em; }
.verdict small { display: block; font-size: var(--base); font-weight: 400; color: var(--ink); margin-top: var(--s1); letter-spacing: 0; }
.verdict.idle { background: var(--card); border-color: var(--line); }
.verdict.stopped, .verdict.stalled, .verdict.failing, .verdict.down { background: var(--bad-soft); border-color: var(--bad); }
.verdict.stopped::before, .verdict.stalled::before, .verdict.failing::before, .verdict.down::before { content: "✕" / ""; background: var(--bad); }
.verdict.attention { background: var(--warn-soft); border-color: var(--warn); }
.verdict.attention::before { content: "!" / ""; background: var(--warn); }
.badge { display: inline-block; white-space: nowrap; font-size: var(--small); font-weight: 600; border-radius: 1rem; padding: 0 var(--s2); background: var(--soft); color: var(--dim); }
.badge::before { content: "○ " / ""; }
.badge.good { background: var(--good-soft); color: var(--good); } .badge.good::before { content: "✓ " / ""; }
.badge.bad { background: var(--bad-soft); color: var(--bad); } .badge.bad::before { content: "✕ " / ""; }
.badge.warn { background: var(--warn-soft); color: var(--warn); } .badge.warn::before { content: "! " / ""; }
.badge.busy { background: var(--mark-soft); color: var(--mark); } .badge.busy::before { content: "▸ " / ""; }
.badge.off::before { content: "‖ " / ""; }
.good { color: var(--good); } .bad { color: var(--bad); } .warn { color: var(--warn); } .dim { color: var(--dim); }
.todo { list-style: none; padding: 0; margin: 0; display: grid; gap: var(--s2); }
.todo li { display: flex; flex-wrap: wrap; gap: var(--s2) var(--s4); align-items: flex-start; background: var(--card); border: 1px solid var(--line); border-left: .3rem solid var(--warn); border-radius: var(--round); padding: var(--s3) var(--s4); }
.todo li.down { border-left-color: var(--bad); }
.todo li > div { flex: 1 1 18rem; min-width: 0; }
.todo p { margin: 0; color: var(--dim); overflow-wrap: anywhere; }
.todo strong { overflow-wrap: anywhere; }
.todo form.act { min-width: min(100%, 20rem); }
.facts { display: grid; grid-template-columns: repeat(auto-fit, minmax(8.5rem, 1fr)); margin: var(--s4) 0; padding: 0; background: var(--card); border: 1px solid var(--line); border-radius: var(--round); overflow: hidden; }
.facts div { padding: var(--s3) var(--s4); min-width: 0; box-shadow: 1px 1px 0 var(--line); }
@media (min-width: 42rem) { .facts .broad { grid-column: span 2; } }
.facts dt { color: var(--dim); font-size: var(--small); }
.facts time bdi { white-space: normal; }
.facts dd { margin: 0; font-size: var(--large); font-weight: 600; overflow-wrap: anywhere; }
.facts dd small { display: block; font-size: var(--small); font-weight: 400; line-height: 1.4; }
.tiles { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(100%, 18rem), 1fr)); gap: var(--s3); align-items: start; }
.tiles.charts { align-items: stretch; }
@media (min-width: 76rem) { .tiles.charts { grid-template-columns: repeat(3, 1fr); } .tiles.charts > :first-child { grid-column: span 2; } }
@media (min-width: 42rem) and (max-width: 75.99rem) { .tiles.charts { grid-template-columns: repeat(2, 1fr); } .tiles.charts > :first-child { grid-column: span 2; } }
.strip { display: grid; gap: var(--s2); }
.strip section { display: grid; grid-template-columns: 8.5rem minmax(0, 1fr); gap: var(--s2); }
.cells { display: flex; flex-wrap: wrap; gap: var(--s2); align-items: flex-start; }
.strip h3 { padding-top: var(--s2); }
.cell { background: var(--card); border: 1px solid var(--line); border-radius: var(--round); max-width: 100%; }
.cell summary { cursor: pointer; padding: var(--s2) var(--s3); list-style-position: inside; }
.cell summary small { color: var(--dim); margin-left: var(--s1); }
.cell.closed, .cell.down { border-color: var(--bad); } .cell.paused { border-color: var(--warn); }
.cell[open] { flex-basis: 100%; }
.cell > div { padding: 0 var(--s3) var(--s3); }
.wide { overflow-x: auto; background: var(--card); border: 1px solid var(--line); border-radius: var(--round); }
table { border-collapse: collapse; width: 100%; }
caption { text-align: left; color: var(--dim); padding: var(--s2) var(--s3); font-size: var(--small); }
th, td { text-align: left; padding: var(--s2); border-bottom: 1px solid var(--line); vertical-align: top; }
tr > :first-child { padding-left: var(--s3); } tr > :last-child { padding-right: var(--s3); }
tbody tr:last-child > * { border-bottom: 0; } tbody tr:hover > * { background: var(--soft); }
thead th { font-weight: 600; font-size: var(--small); color: var(--dim); white-space: nowrap; background: var(--card); }
tbody th { font-weight: 500; }
.number { text-align: right; white-space: nowrap; }
tbody th, .nowrap, time bdi { white-space: nowrap; }
@media (min-width: 52.01rem) { table.stack td code { overflow-wrap: anywhere; } table.stack td code.whole { overflow-wrap: normal; } table.stack td:has(> span > code), table.stack td:has(> code) { min-width: 8rem; } }
code, pre { font: .92em ui-monospace, "SF Mono", "DejaVu Sans Mono", monospace; overflow-wrap: anywhere; }
pre { white-space: pre-wrap; margin: var(--s2) 0; font-size: var(--small); }
form.act { display: grid; gap: var(--s2); max-width: 36rem; margin: 0; align-content: start; }
.tabs { display: inline-flex; border: 1px solid var(--line); border-radius: var(--round); overflow: hidden; margin-left: var(--s2); font-size: var(--small); }
.tabs a { padding: var(--s1) var(--s3); text-decoration: none; background: var(--card); }
.tabs a[aria-current] { background: var(--mark-soft); font-weight: 600; }
form.row, .row { display: flex; flex-wrap: wrap; gap: var(--s2); align-items: end; margin: var(--s2) 0; }
.filters { display: grid; grid-template-columns: repeat(auto-fill, minmax(9.5rem, 1fr)); gap: var(--s2) var(--s3); align-items: end; }
.filters label > * { width: 100%; }
.row { align-items: center; } .row label { flex: 0 1 auto; } fieldset, .cell p { margin: var(--s2) 0; }
label { display: block; font-size: var(--small); color: var(--dim); min-width: 0; }
label.choice { font-size: var(--base); color: var(--ink); padding: var(--s1) 0; }
fieldset { border: 1px solid var(--line); border-radius: var(--round); margin: 0; padding: var(--s2) var(--s3); min-width: 0; }
input:not([type=radio]):not([type=checkbox]), select, button, .button { font: inherit; padding: var(--s1) var(--s3); min-height: 2.25rem; border: 1px solid var(--strong); border-radius: var(--round); background: var(--card); color: var(--ink); max-width: 100%; }
input[type=radio], input[type=checkbox] { accent-color: var(--mark); width: 1.1em; height: 1.1em; vertical-align: -.15em; }
form.act input:not([type=radio]):not([type=checkbox]) { width: 100%; }
button, .button { cursor: pointer; font-weight: 600; display: inline-flex; align-items: center; text-decoration: none; }
button.main { background: var(--mark); border-color: var(--mark); color: var(--mark-ink); }
button.danger { color: var(--bad); border-color: var(--bad); }
button.plain { background: none; color: var(--mark); border: 0; padding: 0; min-height: 0; font-weight: 400; text-decoration: underline; }
.notice, .empty { padding: var(--s3) var(--s4); border: 1px solid var(--line); background: var(--card); border-radius: var(--round); }
.empty { color: var(--dim); border-style: dashed; }
.frame { max-width: min(100%, 20rem); border-radius: var(--round); }
@media (max-width: 52rem) {
  table.stack thead { position: absolute; clip-path: inset(50%); height: 1px; overflow: hidden; }
  table.stack, table.stack tbody, table.stack tr, table.stack th, table.stack td { display: block; border: 0; }
  table.stack tr { padding: var(--s2) 0; border-bottom: 1px solid var(--line); } table.stack tr:last-child { border: 0; }
  table.stack th, table.stack td { padding: 1px var(--s3); overflow-wrap: anywhere; } table.stack td { display: inline-block; max-width: 100%; } table.stack td:empty { display: none; }
  table.stack td[data-name]::before { content: attr(data-name) " "; color: var(--dim); font-size: var(--small); }
  table.stack th, table.stack time { white-space: normal; } table.stack .number { text-align: left; }
  .strip section { grid-template-columns: minmax(0, 1fr); } .strip h3 { padding: 0; }
}
`;

const CHARTS = `
.chart { display: flex; flex-direction: column; }
.chart .now { font-size: var(--large); font-weight: 600; }
.chart .now small { font-size: var(--small); font-weight: 400; color: var(--dim); }
.chart svg { width: 100%; height: 6rem; display: block; margin: var(--s2) 0 0; border-bottom: 1px solid var(--strong); }
.axis { display: flex; justify-content: space-between; color: var(--dim); font-size: var(--small); }
.legend { display: flex; flex-wrap: wrap; gap: 0 var(--s3); list-style: none; padding: 0; margin: var(--s1) 0 0; font-size: var(--small); color: var(--dim); }
.legend svg { width: .7rem; height: .7rem; display: inline-block; margin: 0 var(--s1) 0 0; border: 0; }
.chart details { font-size: var(--small); margin-top: var(--s1); }
.chart summary { color: var(--dim); cursor: pointer; }
.chart .wide { max-height: 14rem; overflow: auto; }
.f1 { fill: var(--c1); } .f2 { fill: var(--c2); } .f3 { fill: var(--c3); } .f4 { fill: var(--c4); } .f5 { fill: var(--c5); } .f6 { fill: var(--c6); }
.l1, .l2, .l3, .l4, .l5, .l6 { fill: none; stroke-width: 2; vector-effect: non-scaling-stroke; stroke-linejoin: round; }
.l1 { stroke: var(--c1); } .l2 { stroke: var(--c2); stroke-dasharray: 6 3; } .l3 { stroke: var(--c3); } .l4 { stroke: var(--c4); stroke-dasharray: 2 2; } .l5 { stroke: var(--c5); } .l6 { stroke: var(--c6); stroke-dasharray: 6 3; }
.fall { display: grid; grid-template-columns: minmax(6.5rem, 11rem) minmax(0, 1fr) auto; gap: 2px var(--s3); align-items: center; font-size: var(--small); }
.fall svg { width: 100%; height: 1.25rem; display: block; background: var(--soft); border-radius: 2px; }
.fall .number { color: var(--dim); } .fall .why { grid-column: 2 / -1; color: var(--dim); margin: 0 0 var(--s1); overflow-wrap: anywhere; }
.wait { fill: var(--strong); } .work { fill: var(--c1); } .failed { fill: var(--c3); } .call { fill: var(--mark); }
progress { width: 100%; height: 1rem; accent-color: var(--mark); }
@media print { .pages, .search, .who, form { display: none; } }
`;

export const STYLE = `${TOKENS}${FRAME}${PARTS}${CHARTS}`.trim();
/** Part of the style sheet's address, so that browsers keep it until it changes. */
export const STYLE_VERSION = createHash('sha256').update(STYLE).digest('base64url').slice(0, 10);
