/** Gates and services as a strip of cells, region by region. A cell opens into a panel with what is known and what can be done. */
import type { BreakerView } from '../../../domain/operations/breakers.ts';
import { GATE_COMMANDS, type GateCommand, type GateView } from '../../../domain/operations/gates.ts';
import { type Html, html, type Part } from '../html.ts';
import type { Words } from '../words/en.ts';
import { WORDS } from '../words/language.ts';
import { remedyIn, titleIn } from './error-words.ts';
import { clockTime, mayOperate, type Reader, tokenField } from './layout.ts';

export interface Strip {
  readonly gates: readonly GateView[];
  readonly breakers: readonly BreakerView[];
  /** Calls in the last whole minute, and the most that the rate limit allows in a minute. */
  readonly used: (gate: GateView) => { readonly calls: number; readonly most: number };
  /** ms since 1970. */
  readonly now: number;
}

export function gateStrip(reader: Reader, strip: Strip): Html {
  const words = WORDS[reader.language];
  const { gates, breakers } = strip;
  const regions = [...new Set([...gates, ...breakers].map(({ region }) => region))];
  if (regions.length === 0) return html`<p class="empty">${words.noGates}</p>`;
  return html`<div class="strip">${regions.map(
    (region) => html`<section aria-label="${region}"><h3>${region}</h3><div class="cells">
${gates.filter((each) => each.region === region).map((gate) => gateCell(reader, strip, gate))}
${breakers.filter((each) => each.region === region).map((breaker) => breakerCell(reader, strip, breaker))}</div></section>`,
  )}</div>`;
}

function gateCell(reader: Reader, { used, now }: Strip, gate: GateView): Html {
  const words = WORDS[reader.language];
  const { region, action, state, since, by, why, code, admitted, pace } = gate;
  const { calls, most } = used(gate);
  const sign = state === 'open' ? 'good' : state === 'paused' ? 'warn' : 'bad';
  const rate =
    state === 'open'
      ? words.rateUsed(Math.round((100 * calls) / Math.max(1, most)))
      : since === null
        ? ''
        : clockTime(reader, since, now);
  return html`<details class="cell ${state}"><summary><span class="badge ${sign}">${words.gateStates[state]}</span> ${words.calls[action]} <small>${rate}</small></summary>
<div><p class="dim">${words.gateFacts(calls, most, admitted, pace)}</p>
${
  state !== 'open' &&
  html`<p>${since !== null && html`${words.since} ${clockTime(reader, since, now)}. `}${code !== null && html`<code>${code}</code> ${titleIn(reader.language, { code, title: code })} `}${[by, why].filter((each) => each !== null).join(': ')}</p>
<p>${state === 'closed' && remedyIn(reader.language, code)}</p>`
}
${steerForm(reader, gate)}${!mayOperate(reader) && html`<p class="dim">${words.needsOperator}</p>`}<p class="dim"><small>${region} ${action}</small></p></div></details>`;
}

function breakerCell(reader: Reader, { now }: Strip, breaker: BreakerView): Html {
  const words = WORDS[reader.language];
  const { dependency, state, since, code, worked, failed, nextProbeAt, probes } = breaker;
  return html`<details class="cell ${state}"><summary><span class="badge ${state === 'working' ? 'good' : 'bad'}">${words.breakerShort[state]}</span> ${serviceName(words, dependency)} <small>${since === null ? '' : clockTime(reader, since, now)}</small></summary>
<div><p class="dim">${words.breakerFacts(worked, failed)}</p>
${state === 'down' && html`<p>${code !== null && html`<code>${code}</code> ${titleIn(reader.language, { code, title: code })}. `}${words.troubles.breakerCure} ${nextProbeAt !== null && words.nextProbe(clockTime(reader, nextProbeAt, now), probes)}</p>`}</div></details>`;
}

/** FaceID is named as its gate is, with what tells the two apart. */
function serviceName({ calls }: Words, dependency: string): string {
  const action = dependency.replace(/^faceid:/, '');
  return action !== dependency && Object.hasOwn(calls, action)
    ? `FaceID: ${calls[action as keyof typeof calls]}`
    : dependency;
}

/** The form that steers a gate, with the commands that make sense now. Nothing for readers who may not use it. */
export function steerForm(reader: Reader, gate: GateView): Part {
  if (!mayOperate(reader)) return null;
  const words = WORDS[reader.language];
  const { region, action } = gate;
  return html`<form class="act" method="post" action="${reader.base}/gate/${region}/${action}">${tokenField(reader)}
<label>${words.whyPrompt}<input name="why" required maxlength="200" aria-label="${words.whyPrompt}: ${region} ${action}"></label>
<div class="row">${possibleSteers(gate).map((steer) => html`<button name="steer" value="${steer}"${steer === 'resume' || steer === 'open' ? html` class="main"` : html` class="danger"`}>${words.steer[steer]}</button> `)}</div>
<p class="dim">${possibleSteers(gate).map((steer) => html`<strong>${words.steer[steer]}</strong>: ${words.steerMeans[steer]} `)}</p></form>`;
}

/** The gate commands that make sense in the current state. */
function possibleSteers({ state }: GateView): readonly GateCommand[] {
  if (state === 'paused') return ['resume'];
  return GATE_COMMANDS.filter((steer) => steer === 'pause' || steer === (state === 'closed' ? 'open' : 'close'));
}
