// This file's job is to say that there is nothing to show, and what to do about it.
import React from 'react';
import { Image, Pressable, StyleSheet, Text, View } from 'react-native';
import { colours, space } from '../lib/theme';

export default function Notice({ text, action, onAction }) {
  return (
    <View style={styles.box}>
      <Image source={require('../../assets/boots.png')} style={styles.picture} />
      <Text style={styles.text}>{text}</Text>
      {action ? (
        <Pressable style={styles.button} onPress={onAction}>
          <Text style={styles.label}>{action}</Text>
        </Pressable>
      ) : null}
    </View>
  );
}

const styles = StyleSheet.create({
  box: { alignItems: 'center', padding: space.large },
  picture: { width: 72, height: 72, marginBottom: space.medium },
  text: { color: colours.stone, textAlign: 'center' },
  button: { marginTop: space.large, backgroundColor: colours.moss, borderRadius: 6, padding: space.medium },
  label: { color: colours.snow, fontWeight: '600' },
});
