// This file's job is to let the hiker pick one of a few values.
import React from 'react';
import { Pressable, StyleSheet, Text, View } from 'react-native';
import { colours, space } from '../lib/theme';

export default function Choice({ title, options, value, onChange }) {
  return (
    <View style={styles.group}>
      <Text style={styles.title}>{title}</Text>
      <View style={styles.row}>
        {options.map((option) => (
          <Pressable
            key={option.value}
            accessibilityState={{ selected: option.value === value }}
            style={[styles.option, option.value === value && styles.chosen]}
            onPress={() => onChange(option.value)}>
            <Text style={option.value === value ? styles.chosenLabel : styles.label}>{option.label}</Text>
          </Pressable>
        ))}
      </View>
    </View>
  );
}

const styles = StyleSheet.create({
  group: { padding: space.medium },
  title: { color: colours.stone, marginBottom: space.small },
  row: { flexDirection: 'row' },
  option: { borderColor: colours.moss, borderWidth: 1, borderRadius: 6, padding: space.medium, marginRight: space.small },
  chosen: { backgroundColor: colours.moss },
  label: { color: colours.moss },
  chosenLabel: { color: colours.snow },
});
