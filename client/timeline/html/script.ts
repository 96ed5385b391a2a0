// The page's script: shows a column's points on hover or focus, pins them on click, moves by arrow
// keys, changes the view. It inserts everything as text, never as markup.

export const SCRIPT = `
'use strict';
(() => {
  const data = JSON.parse(document.getElementById('data').textContent);
  const body = document.getElementById('details-body');
  const NEAR_PX = 14;
  let shown;
  let held;

  const node = (name, text, className) => {
    const made = document.createElement(name);
    if (text !== undefined) made.textContent = text;
    if (className !== undefined) made.className = className;
    return made;
  };
  const row = (list, term, text, className) => list.append(node('dt', term), node('dd', text, className));

  const describe = (point) => {
    const list = node('dl');
    row(list, 'Point', point.id, 'mono');
    row(list, 'Time', point.time);
    row(list, 'Group', point.group);
    row(list, 'Kind', point.kind);
    if (point.bookmark) {
      row(list, 'Bookmark', point.bookmark.name);
      row(list, 'Kept', point.bookmark.keep);
    } else row(list, 'Kept', 'policy');
    row(list, 'Volumes', point.members.join(', ') + (point.membersMore ? ' and ' + point.membersMore + ' more' : '') || 'none');
    if (point.leftOut.length) row(list, 'Left out', point.leftOut.join(', '));
    if (point.damaged.length) row(list, 'Damaged', point.damaged.join(' '));
    return list;
  };

  const show = (target) => {
    if (shown === target) return;
    if (shown) shown.classList.remove('on');
    shown = target;
    target.classList.add('on');
    const ids = target.dataset.points.split(' ').map(Number);
    const total = Number(target.dataset.count);
    body.replaceChildren(node('p', target.getAttribute('aria-label'), held ? 'held' : undefined));
    const points = node('div', undefined, 'points');
    for (const id of ids) points.append(describe(data.points[id]));
    body.append(points);
    if (total > ids.length) body.append(node('p', '… and ' + (total - ids.length).toLocaleString('en-US') + ' more here. List them with: ' + data.listCommand));
  };

  const targetNear = (event) => {
    const direct = event.target.closest('.at');
    if (direct) return direct;
    const lane = event.target.closest('.lane');
    if (!lane) return undefined;
    let best;
    let bestPx = NEAR_PX;
    for (const candidate of lane.querySelectorAll('.at')) {
      const box = candidate.getBoundingClientRect();
      const px = Math.max(box.left - event.clientX, event.clientX - box.right, 0);
      if (px < bestPx) { best = candidate; bestPx = px; }
    }
    return best;
  };

  // Listeners on the svg itself would make it a stop of the Tab key.
  for (const chart of document.querySelectorAll('.chart-frame')) {
    chart.addEventListener('pointermove', (event) => {
      const target = held ? undefined : targetNear(event);
      if (target) show(target);
    });
    chart.addEventListener('click', (event) => {
      const target = targetNear(event);
      held = target && target !== held ? target : undefined;
      if (target) { shown && shown.classList.remove('on'); shown = undefined; show(target); }
    });
    chart.addEventListener('focusin', (event) => {
      const target = event.target.closest('.at');
      if (target) { held = undefined; show(target); }
    });
    chart.addEventListener('keydown', (event) => {
      const current = event.target.closest('.at');
      if (!current) return;
      const lane = current.closest('.lane');
      const inLane = [...lane.querySelectorAll('.at')];
      const lanes = [...chart.querySelectorAll('.lane')].filter((other) => other.querySelector('.at'));
      const index = inLane.indexOf(current);
      const nearestIn = (other) => {
        if (!other) return undefined;
        const x = Number(current.dataset.x);
        return [...other.querySelectorAll('.at')].reduce((a, b) => Math.abs(b.dataset.x - x) < Math.abs(a.dataset.x - x) ? b : a);
      };
      const next = {
        ArrowLeft: () => inLane[index - 1],
        ArrowRight: () => inLane[index + 1],
        Home: () => inLane[0],
        End: () => inLane[inLane.length - 1],
        ArrowUp: () => nearestIn(lanes[lanes.indexOf(lane) - 1]),
        ArrowDown: () => nearestIn(lanes[lanes.indexOf(lane) + 1]),
      }[event.key];
      if (!next) return;
      event.preventDefault();
      const target = next();
      if (!target) return;
      current.setAttribute('tabindex', '-1');
      target.setAttribute('tabindex', '0');
      target.focus();
    });
  }
  document.addEventListener('keydown', (event) => { if (event.key === 'Escape') held = undefined; });

  const buttons = [...document.querySelectorAll('.views button')];
  const sections = [...document.querySelectorAll('section[data-view]')];
  const choose = (view) => {
    for (const button of buttons) button.setAttribute('aria-pressed', String(button.dataset.view === view));
    for (const section of sections) section.hidden = section.dataset.view !== view;
  };
  for (const button of buttons) button.addEventListener('click', () => choose(button.dataset.view));
  if (buttons.length > 0) choose(buttons[0].dataset.view);
})();
`;
