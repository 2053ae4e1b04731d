// This file's job is to let the hiker choose language and units.
import React from 'react';
import { ScrollView, StyleSheet } from 'react-native';
import { useDispatch, useSelector } from 'react-redux';
import { useTranslation } from 'react-i18next';
import Choice from '../components/Choice';
import { languageChosen, unitsChosen } from '../store/settings';
import { languages } from '../lib/i18n';
import { colours } from '../lib/theme';

const names = { en: 'English', de: 'Deutsch' };

export default function Settings() {
  const { t, i18n } = useTranslation();
  const dispatch = useDispatch();
  const { language, units } = useSelector((state) => state.settings);
  const speak = (chosen) => {
    i18n.changeLanguage(chosen);
    dispatch(languageChosen(chosen));
  };
  return (
    <ScrollView style={styles.screen}>
      <Choice
        title={t('settings.language')}
        options={languages.map((value) => ({ value, label: names[value] }))}
        value={language}
        onChange={speak}
      />
      <Choice
        title={t('settings.units')}
        options={['metric', 'imperial'].map((value) => ({ value, label: t(`settings.${value}`) }))}
        value={units}
        onChange={(chosen) => dispatch(unitsChosen(chosen))}
      />
    </ScrollView>
  );
}

const styles = StyleSheet.create({ screen: { flex: 1, backgroundColor: colours.paper } });
