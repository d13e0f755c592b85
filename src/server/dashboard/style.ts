/** The style sheet: light and dark, for screens from the width of a phone up. It loads nothing from other hosts. */
export const STYLE = `
:root { color-scheme: light dark; --ink: #16202b; --paper: #fff; --dim: #566371; --line: #d5dce3; --soft: #f3f6f8;
  --good: #0b6b3a; --bad: #a5121f; --warn: #7a4b00; --mark: #0a58b8; }
@media (prefers-color-scheme: dark) { :root { --ink: #e7edf3; --paper: #11181f; --dim: #9fb0c0; --line: #2c3945;
  --soft: #19232d; --good: #5fd395; --bad: #ff8a8a; --warn: #f2bd62; --mark: #7ab8ff; } }
* { box-sizing: border-box; }
body { margin: 0 auto; max-width: 68rem; padding: 0 1rem 3rem; background: var(--paper); color: var(--ink);
  font: 16px/1.5 system-ui, "Noto Sans", "Noto Sans CJK SC", sans-serif; }
a { color: var(--mark); }
:focus-visible { outline: 3px solid var(--mark); outline-offset: 2px; }
.skip { position: absolute; left: -100vw; }
.skip:focus { left: 1rem; top: .5rem; background: var(--paper); padding: .5rem; }
header { display: flex; flex-wrap: wrap; gap: .25rem 1.5rem; align-items: baseline; padding: 1rem 0; }
header form, header nav { margin: 0; }
header .session { margin-left: auto; color: var(--dim); }
.mode { font-weight: 700; letter-spacing: .08em; border-radius: .25rem; padding: 0 .5rem; }
.mode.test { background: var(--soft); color: var(--dim); border: 1px dashed var(--dim); }
.mode.live { background: var(--bad); color: var(--paper); }
h1 { font-size: 1.5rem; line-height: 1.3; margin: .5rem 0 1rem; }
h2 { font-size: 1.1rem; margin: 2rem 0 .5rem; }
.verdict { font-size: 1.4rem; border-left: .4rem solid var(--good); padding: .75rem 1rem; background: var(--soft); margin: 0; }
.verdict.stopped, .verdict.stalled, .verdict.failing { border-color: var(--bad); }
.verdict small { display: block; font-size: 1rem; color: var(--dim); }
.facts { display: grid; grid-template-columns: repeat(auto-fit, minmax(11rem, 1fr)); gap: .75rem; margin: 1rem 0; padding: 0; }
.facts div { background: var(--soft); padding: .5rem .75rem; }
.facts dt { color: var(--dim); font-size: .9rem; }
.facts dd { margin: 0; font-size: 1.25rem; font-variant-numeric: tabular-nums; overflow-wrap: anywhere; }
.wide { overflow-x: auto; }
table { border-collapse: collapse; width: 100%; font-variant-numeric: tabular-nums; }
caption { text-align: left; color: var(--dim); padding: .25rem 0; }
th, td { text-align: left; padding: .35rem .75rem .35rem 0; border-bottom: 1px solid var(--line); vertical-align: top; }
th { font-weight: 600; white-space: nowrap; }
td time, td.duration, td code { white-space: nowrap; }
code { font: .9em ui-monospace, "DejaVu Sans Mono", monospace; overflow-wrap: anywhere; }
.good { color: var(--good); } .bad { color: var(--bad); } .warn { color: var(--warn); } .dim { color: var(--dim); }
form.act { display: grid; gap: .5rem; max-width: 34rem; }
form.row { display: flex; flex-wrap: wrap; gap: .5rem; align-items: end; }
label { display: block; }
fieldset { border: 1px solid var(--line); margin: 0; padding: .5rem .75rem; }
input:not([type=radio]):not([type=checkbox]), select, button { font: inherit; padding: .45rem .6rem; border: 1px solid var(--dim);
  border-radius: .25rem; background: var(--paper); color: var(--ink); max-width: 100%; }
form.act input:not([type=radio]):not([type=checkbox]) { width: 100%; }
button { background: var(--mark); color: var(--paper); border-color: var(--mark); cursor: pointer; }
button.plain { background: none; color: var(--mark); border: 0; padding: 0; text-decoration: underline; }
.notice { padding: .5rem .75rem; border: 1px solid var(--line); background: var(--soft); }
.frame { max-width: min(100%, 20rem); }
@media (max-width: 40rem) { h1 { font-size: 1.25rem; } .verdict { font-size: 1.15rem; } header .session { margin-left: 0; } }
`;
