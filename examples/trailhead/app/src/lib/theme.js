// This file's job is to name the colours and spaces every screen uses.
export const colours = {
  paper: '#f7f4ec', ink: '#26302b', moss: '#3d6b4f', clay: '#b8663d', stone: '#8b9089', line: '#ddd8ca', snow: '#ffffff',
};

export const space = { small: 6, medium: 12, large: 20 };
