// Styles of a batch's report, in addition to those that all pages share.
import { BASE_STYLE } from '../../../html/base-style.js';

export const STYLE = `${BASE_STYLE}
svg { display: block; width: 100%; min-width: 900px; height: auto; }
svg text { fill: var(--text); font-size: 14px; }
svg .quiet { fill: var(--quiet); font-size: 13px; }
svg .name { font-weight: 600; }
svg .grid, svg .base { stroke: var(--line); stroke-width: 1; }
.moved { fill: var(--lane1); } .failed { fill: var(--hole); } .other { fill: var(--lane5); } .open { fill: var(--line); }
.share { border-radius: 6px; overflow: hidden; margin: 0 0 10px; }
.share svg { min-width: 0; height: 18px; }
.legend { display: flex; flex-wrap: wrap; gap: 6px 24px; margin: 0; padding: 0; list-style: none; color: var(--quiet); font-size: 14px; }
.legend li { display: flex; align-items: center; gap: 8px; }
.legend svg { min-width: 0; width: 14px; height: 14px; flex: none; }
.summary { font-size: 17px; margin: 0 0 18px; overflow-wrap: anywhere; }
th { white-space: nowrap; }
.todo { color: var(--quiet); display: block; }
.state { font-weight: 600; }
.id { white-space: nowrap; }
@media (max-width: 640px) { .id { white-space: normal; overflow-wrap: anywhere; } }
`;
