'use strict';
// Material for tests: a little of everything that bytecode has.
const catalog = { title: 'Trails', subtitle: 'nearby', price: 12.5, open: true, tags: ['alpine', 'forest', 'lake'], nested: { depth: 2, label: 'deep' } };
const routes = [{ path: '/home', screen: 'Home' }, { path: '/map', screen: 'Map' }, { path: '/trail', screen: 'Trail' }];
const numbers = [1, 2, 3, 4.5, 6000000, null, true, false, 'seven', -8];
const greeting = 'Grüße aus den Bergen — 山';
function Trail(name, length) { this.name = name; this.length = length; this.visits = 0; }
Trail.prototype.visit = function (guest) { this.visits += 1; return guest + ' walks ' + this.name; };
Object.defineProperty(Trail.prototype, 'summary', { get() { return this.name + ': ' + this.length + ' km, ' + this.visits + ' visits'; } });
function Ridge(name, length, height) { Trail.call(this, name, length); this.height = height; }
Ridge.prototype = Object.create(Trail.prototype);
Ridge.prototype.visit = function (guest) { const visit = Trail.prototype.visit.call(this, guest); return this.height > 2000 ? visit + ' carefully' : visit; };
function* steps(trail) { for (let i = 0; i < trail.length; i++) { yield { index: i, trail: trail.name }; } }
function kind(word) {
  switch (word) {
    case 'alpine': return 1; case 'forest': return 2; case 'lake': return 3; case 'desert': return 4; case 'coast': return 5;
    case 'canyon': return 6; case 'meadow': return 7; case 'glacier': return 8; case 'island': return 9; case 'valley': return 10;
    default: return 0;
  }
}
function weekday(number) {
  switch (number) {
    case 0: return 'Sunday'; case 1: return 'Monday'; case 2: return 'Tuesday'; case 3: return 'Wednesday';
    case 4: return 'Thursday'; case 5: return 'Friday'; case 6: return 'Saturday'; case 7: return 'Sunday again';
    default: throw new RangeError('no such day: ' + number);
  }
}
function parse(text) {
  try { return JSON.parse(text); } catch (error) { console.log('cannot parse', error.message); return { broken: true, text: text }; } finally { catalog.parsed = (catalog.parsed || 0) + 1; }
}
const matcher = /(\d+)-(\w+)/gi;
function reduce(state, action) {
  if (action.type === 'visit') { return { trails: state.trails.concat([action.trail]), last: action.trail, count: state.count + 1 }; }
  if (action.type === 'reset') { return { trails: [], last: null, count: 0 }; }
  return state;
}
function render(props) {
  return { type: 'View', style: { flex: 1, padding: 16, backgroundColor: '#fafafa' }, children: [
    { type: 'Text', text: props.title, style: { fontSize: 24, fontWeight: 'bold', color: '#333333' } },
    { type: 'List', items: props.trails.map(function (trail) { return { type: 'Row', key: trail.name, text: trail.summary }; }) } ] };
}
const helpers = { add: (a, b) => a + b, twice: (f) => (x) => f(f(x)), ids: [10n, 20n], pick({ name, length = 3 }, ...rest) { return [name, length, ...rest]; } };
const trails = [new Trail('Heather path', 7), new Ridge('North ridge', 12, 2400)];
let state = reduce({ trails: [], last: null, count: 0 }, { type: 'visit', trail: 'Heather path' });
print(greeting, render({ title: catalog.title, trails: trails }), state, kind('lake'), weekday(3), parse('{"a": 1'), matcher.test('12-ab'), helpers.pick({ name: 'x' }, 1, 2), [...steps(trails[0])], numbers, routes);
function screen0(props) { const label = 'Screen 0'; return { type: 'Screen', name: label, order: 0, kind: kind(props.word0), next: screen1 }; }
function screen1(props) { const label = 'Screen 1'; return { type: 'Screen', name: label, order: 1, kind: kind(props.word1), next: screen2 }; }
function screen2(props) { const label = 'Screen 2'; return { type: 'Screen', name: label, order: 2, kind: kind(props.word2), next: screen3 }; }
function screen3(props) { const label = 'Screen 3'; return { type: 'Screen', name: label, order: 3, kind: kind(props.word3), next: screen4 }; }
function screen4(props) { const label = 'Screen 4'; return { type: 'Screen', name: label, order: 4, kind: kind(props.word4), next: screen5 }; }
function screen5(props) { const label = 'Screen 5'; return { type: 'Screen', name: label, order: 5, kind: kind(props.word5), next: screen6 }; }
function screen6(props) { const label = 'Screen 6'; return { type: 'Screen', name: label, order: 6, kind: kind(props.word6), next: screen7 }; }
function screen7(props) { const label = 'Screen 7'; return { type: 'Screen', name: label, order: 7, kind: kind(props.word7), next: screen8 }; }
function screen8(props) { const label = 'Screen 8'; return { type: 'Screen', name: label, order: 8, kind: kind(props.word8), next: screen9 }; }
function screen9(props) { const label = 'Screen 9'; return { type: 'Screen', name: label, order: 9, kind: kind(props.word9), next: screen10 }; }
function screen10(props) { const label = 'Screen 10'; return { type: 'Screen', name: label, order: 10, kind: kind(props.word10), next: screen11 }; }
function screen11(props) { const label = 'Screen 11'; return { type: 'Screen', name: label, order: 11, kind: kind(props.word11), next: screen12 }; }
function screen12(props) { const label = 'Screen 12'; return { type: 'Screen', name: label, order: 12, kind: kind(props.word12), next: screen13 }; }
function screen13(props) { const label = 'Screen 13'; return { type: 'Screen', name: label, order: 13, kind: kind(props.word13), next: screen14 }; }
function screen14(props) { const label = 'Screen 14'; return { type: 'Screen', name: label, order: 14, kind: kind(props.word14), next: screen15 }; }
function screen15(props) { const label = 'Screen 15'; return { type: 'Screen', name: label, order: 15, kind: kind(props.word15), next: screen16 }; }
function screen16(props) { const label = 'Screen 16'; return { type: 'Screen', name: label, order: 16, kind: kind(props.word16), next: screen17 }; }
function screen17(props) { const label = 'Screen 17'; return { type: 'Screen', name: label, order: 17, kind: kind(props.word0), next: screen18 }; }
function screen18(props) { const label = 'Screen 18'; return { type: 'Screen', name: label, order: 18, kind: kind(props.word1), next: screen19 }; }
function screen19(props) { const label = 'Screen 19'; return { type: 'Screen', name: label, order: 19, kind: kind(props.word2), next: screen20 }; }
function screen20(props) { const label = 'Screen 20'; return { type: 'Screen', name: label, order: 20, kind: kind(props.word3), next: screen21 }; }
function screen21(props) { const label = 'Screen 21'; return { type: 'Screen', name: label, order: 21, kind: kind(props.word4), next: screen22 }; }
function screen22(props) { const label = 'Screen 22'; return { type: 'Screen', name: label, order: 22, kind: kind(props.word5), next: screen23 }; }
function screen23(props) { const label = 'Screen 23'; return { type: 'Screen', name: label, order: 23, kind: kind(props.word6), next: screen24 }; }
function screen24(props) { const label = 'Screen 24'; return { type: 'Screen', name: label, order: 24, kind: kind(props.word7), next: screen0 }; }
print(screen0({}), screen1({}));
