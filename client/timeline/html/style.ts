// Styles of a timeline, in addition to those that all pages share.
import { BASE_STYLE } from '../../html/base-style.js';

export const STYLE = `${BASE_STYLE}
.views { display: flex; flex-wrap: wrap; gap: 6px; margin: 0 0 12px; }
.views button { font: inherit; color: var(--text); background: transparent; border: 1px solid var(--line);
  border-radius: 999px; padding: 4px 14px; cursor: pointer; }
.views button[aria-pressed="true"] { background: var(--text); color: var(--card); border-color: var(--text); font-weight: 600; }
svg { display: block; width: 100%; min-width: 900px; height: auto; }
svg.defs { position: absolute; width: 0; min-width: 0; height: 0; }
svg text { fill: var(--text); font-size: 14px; }
svg .quiet { fill: var(--quiet); font-size: 13px; }
svg .name { font-weight: 600; }
svg .grid { stroke: var(--line); stroke-width: 1; }
svg .base { stroke: var(--line); stroke-width: 1; }
svg .hole { fill: url(#hatch); stroke: var(--hole); stroke-width: 1; }
svg .hole-label { fill: var(--hole); font-size: 13px; font-weight: 600; }
svg .hatch-back { fill: var(--hole-soft); }
svg .hatch-line { stroke: var(--hole); stroke-width: 2.5; }
svg .stem { stroke: var(--mark); stroke-width: 1.5; }
svg .flag circle, svg .flag rect { fill: var(--mark); }
svg .flag text { fill: var(--on-mark); font-size: 13px; font-weight: 700; text-anchor: middle; }
svg .out { fill: var(--card); stroke: var(--text); stroke-width: 2; }
svg .at { cursor: pointer; outline: none; }
svg .at:focus-visible .shape, svg .at.on .shape { stroke: var(--focus); stroke-width: 3; paint-order: stroke; }
.lane0 { fill: var(--lane0); } .lane1 { fill: var(--lane1); } .lane2 { fill: var(--lane2); }
.lane3 { fill: var(--lane3); } .lane4 { fill: var(--lane4); } .lane5 { fill: var(--lane5); }
.legend { display: flex; flex-wrap: wrap; gap: 6px 24px; margin: 12px 0 0; padding: 0; list-style: none; color: var(--quiet); font-size: 14px; }
.legend li { display: flex; align-items: center; gap: 8px; }
.legend svg { min-width: 0; width: 26px; height: 18px; flex: none; }
.details { min-height: 290px; }
.points { display: grid; grid-template-columns: repeat(auto-fit, minmax(320px, 1fr)); gap: 0 28px; }
.details h2 { margin: 0 0 8px; }
.details p { margin: 0 0 6px; color: var(--quiet); }
.details dl { display: grid; grid-template-columns: max-content 1fr; gap: 2px 16px; margin: 0 0 12px; }
.details dt { color: var(--quiet); }
.details dd { margin: 0; overflow-wrap: anywhere; font-variant-numeric: tabular-nums; }
.details .held { color: var(--text); font-weight: 600; }
.letter { display: inline-block; min-width: 22px; padding: 0 6px; border-radius: 11px; text-align: center;
  background: var(--mark); color: var(--on-mark); font-weight: 700; font-size: 13px; }
`;
