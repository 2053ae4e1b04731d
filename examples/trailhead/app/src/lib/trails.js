// This file's job is to hold the trails that ship with the app.
export const trails = [
  { id: 'ridge-loop', name: 'Ridge Loop', region: 'North Fells', lengthMetres: 12400, climbMetres: 640, difficulty: 'moderate', photo: require('../../assets/ridge.png'), gear: ['poles', 'shell'], text: 'A round over three tops. Start early: the last bus leaves the dam at six, and the descent to the tarn is slower than it looks.' },
  { id: 'lake-shore', name: 'Lake Shore', region: 'Alder Valley', lengthMetres: 6800, climbMetres: 90, difficulty: 'easy', photo: require('../../assets/lake.png'), gear: ['bottle'], text: 'Flat, shaded and good in any weather. The boat house sells coffee until October, and the eastern bank has places to swim.' },
  { id: 'high-pass', name: 'High Pass', region: 'Snow Horns', lengthMetres: 18900, climbMetres: 1480, difficulty: 'hard', photo: require('../../assets/pass.png'), gear: ['poles', 'shell', 'lamp'], text: 'An old mule track to the border. Snow stays in the upper gully until July; carry microspikes and turn back if it is iced.' },
  { id: 'forest-rail', name: 'Forest Rail', region: 'Alder Valley', lengthMetres: 9300, climbMetres: 210, difficulty: 'easy', photo: require('../../assets/forest.png'), gear: ['bottle'], text: 'Along the dismantled logging railway, over two iron bridges. Prams manage the whole way except for the steps at the mill.' },
  { id: 'twin-falls', name: 'Twin Falls', region: 'North Fells', lengthMetres: 7600, climbMetres: 420, difficulty: 'moderate', photo: require('../../assets/falls.png'), gear: ['shell'], text: 'Two waterfalls and a rope bridge between them. The rocks are slippery after rain and the spray carries further than one thinks.' },
];

export function trailById(id) {
  return trails.find((trail) => trail.id === id);
}
